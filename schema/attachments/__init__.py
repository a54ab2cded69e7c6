"""Attachments, who decides them, escalations, offers and vacancies."""
