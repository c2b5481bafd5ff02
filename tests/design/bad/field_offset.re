:11: field 'F' of register 'CTRL' of 'ip': BIT_OFFSET='x' BIT_WIDTH='1' are no bit numbers
