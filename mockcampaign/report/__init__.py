"""Views of a journal and its findings: text for people, JSON for programs. Nothing is judged or printed here."""
