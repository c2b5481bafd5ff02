:1: .*encoding
