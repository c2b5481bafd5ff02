:11: <FIELD> has no NAME
