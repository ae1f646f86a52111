"""Planted bugs: each is put into what decides, and stories of seeds are told until a checker tells of it."""
