"""The life of a training job: from its request, through queue, hosts and attempts, to its end."""
