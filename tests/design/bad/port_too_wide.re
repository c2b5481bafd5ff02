:7: port 'a' of 'ip': \[99999999999:0\] is wider than a million bits
