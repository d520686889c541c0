"""What learns: data sets, training stages as Lightning modules, evaluation; `configs/` holds the recipes."""
