"""rowloom weaves quantized neural networks, row by row, into FPGA accelerators that are proved bit-exact."""
