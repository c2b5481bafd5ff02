too_many_objects\.tcl:2: the script makes more than 100,000 objects
