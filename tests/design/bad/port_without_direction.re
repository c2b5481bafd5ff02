:7: <PORT> of 'ip' has no DIR
