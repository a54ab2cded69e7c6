"""Mail: the outbox, what became of each try, and what periodical mails tell."""
