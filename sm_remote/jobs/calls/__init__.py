"""A call as its caller meets it: foreseen, announced, waited for, interrupted, one of many, or run right here."""
