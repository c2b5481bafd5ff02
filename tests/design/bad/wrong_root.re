:2: the root element is <html>, not <EDKSYSTEM>: this is no hardware hand-off file
