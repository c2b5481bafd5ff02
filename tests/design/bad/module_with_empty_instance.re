:5: <MODULE> has an empty INSTANCE
