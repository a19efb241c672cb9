"""What is wrong with the photos themselves: copies, leaks, wrong labels, odd ones out."""
