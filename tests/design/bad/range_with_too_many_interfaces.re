:7: <MEMRANGE> of 'x' names 100 slave interfaces
