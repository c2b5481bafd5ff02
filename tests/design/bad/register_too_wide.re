:9: register 'CTRL' of 'ip': SIZE='18446744073709551616' is no number of bits
