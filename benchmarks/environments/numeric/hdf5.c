#include <hdf5.h>
#include <stdio.h>
int main(void) { puts(H5open() < 0 ? "no HDF5" : "HDF5"); return 0; }
