:5: <PORT> of 'External_Ports' has no NAME
