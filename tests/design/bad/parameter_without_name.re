:7: <PARAMETER> has no NAME
