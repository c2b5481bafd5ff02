property_words\.tcl:2: set_property takes a name, a value and objects
