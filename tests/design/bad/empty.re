empty\.hwh: is empty
