"""Operations of the control API that end in a verdict on the consumer.

What plays and judges scenarios is imported when it is called: otherwise it would be a tenth of the server's start.
"""
