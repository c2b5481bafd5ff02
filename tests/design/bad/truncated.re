:\d+: ends in the middle \(.*\): the file is truncated, export it again
