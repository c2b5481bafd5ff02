:9: <REGISTER> has no NAME
