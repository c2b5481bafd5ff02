:9: register 'CTRL' of 'ip': ADDRESS_OFFSET='four' is no address
