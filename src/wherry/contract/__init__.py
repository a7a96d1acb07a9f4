"""What travels over HTTP: the structs of SMS v3, its enumerations and the error catalogue. No logic."""
