:5: ends in the middle \(.*\): the file is truncated
