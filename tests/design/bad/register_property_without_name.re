:10: <PROPERTY> has no NAME
