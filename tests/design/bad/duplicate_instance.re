:6: instance 'b' is already defined in line 5
