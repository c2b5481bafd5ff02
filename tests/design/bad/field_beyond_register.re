:11: field 'F' of register 'CTRL' of 'ip': bits 4294967296 to 4294967296 are in no register of 32 bits
