"""How the methods behave for one design: simulated, analysed by the code that analyses the data."""
