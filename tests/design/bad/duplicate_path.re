:6: instance 'a' is already defined in line 5
