:9: register 'CTRL' of 'ip': SIZE='wide' is no number of bits
