:9: register 'CTRL' of 'ip': ADDRESS_OFFSET='-4' is no address
