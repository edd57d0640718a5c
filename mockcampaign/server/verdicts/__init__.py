"""Operations of the control API that end in a verdict on the consumer."""
