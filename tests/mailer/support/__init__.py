"""What the tests of the mailer share."""
