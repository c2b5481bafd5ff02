:5: the path 'a/a/.*'\.\.\. is deeper than 32 hierarchies or 1000 characters
