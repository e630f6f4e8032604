"""The page on which a person marks, follows, looks and corrects: a local server, and one worker for each project."""
