:12: <PROPERTY> has no NAME
