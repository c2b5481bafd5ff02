:1: has an encoding that can't be read
