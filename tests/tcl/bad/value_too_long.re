value_too_long\.tcl:3: the value of 'CONFIG.A' has more than 1,048,576 characters
