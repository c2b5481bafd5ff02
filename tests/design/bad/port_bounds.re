:7: port 'a' of 'ip': LEFT='W-1' RIGHT='0' are no bit numbers
