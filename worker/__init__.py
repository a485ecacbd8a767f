"""The queue: RQ workers that run training and import jobs and publish what they make."""
