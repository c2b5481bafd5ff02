:5: cell 'a\\x9b2J' has control characters in its name
:6: cell 'b\\u202ec' has control characters in its name
