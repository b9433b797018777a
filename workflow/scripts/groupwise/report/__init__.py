"""The report: tables in, Markdown out. Sentences with numbers are computed here, never typed.

`facts` holds what a report is about, `prose` its sentences, `tables` its tables and figures,
`equations` the models in the dataset's own names.
"""
