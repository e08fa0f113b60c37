"""The HTTP ways in: submitting questions, asking for results, giving feedback, being pushed to by Pub/Sub.

What knows the web framework is `app.py` alone; everything else works on a `Call` and gives an `Answer`.
"""
