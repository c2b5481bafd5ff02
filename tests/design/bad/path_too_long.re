:5: the path 'a{40}'\.\.\. is deeper than 32 hierarchies or 1000 characters
