:4: <A> is nested deeper than 32 elements
