"""Attachments: requested, decided, given, ended; principal managers, vacancies, escalations and reminders."""
