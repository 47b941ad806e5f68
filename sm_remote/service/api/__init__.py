"""The form of requests and answers: shapes, rules, errors, signatures."""
