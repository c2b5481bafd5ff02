blank\.hwh: is empty
