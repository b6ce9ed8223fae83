// SPDX-License-Identifier: Apache-2.0
//
// Four-state smoke test of the NIC. Every register is X at the start; from the first clock edge at which the reset is
// seen, no output may be X or Z in any cycle: during start-up, while the host reads every register, and while a frame
// that came from host memory leaves through the MAC and one from the MAC reaches host memory.

`timescale 1ns / 1ps

module reset_tb #(parameter int CONTROL_PROCESSOR = 0);

    localparam int VECTORS = 8;

    logic         clk = 1'b0;
    logic         rst = 1'b1;
    integer       cycle = 0;
    integer       checks = 0;
    logic         watching = 1'b0;

    logic [17:0]  awaddr = '0, araddr = '0;
    logic         awvalid = 1'b0, wvalid = 1'b0, bready = 1'b1, arvalid = 1'b0, rready = 1'b1;
    logic [31:0]  wdata = '0;
    wire          awready, wready, bvalid, arready, rvalid;
    wire  [1:0]   bresp, rresp;
    wire  [31:0]  rdata;

    wire  [3:0]   m_awid, m_arid;
    wire  [63:0]  m_awaddr, m_araddr;
    wire  [7:0]   m_awlen, m_arlen;
    wire  [2:0]   m_awsize, m_arsize;
    wire  [1:0]   m_awburst, m_arburst;
    wire          m_awvalid, m_wvalid, m_wlast, m_bready, m_arvalid, m_rready;
    wire  [127:0] m_wdata;
    wire  [15:0]  m_wstrb;
    logic         m_bvalid = 1'b0, m_rvalid = 1'b0, m_rlast = 1'b0;
    logic [3:0]   m_rid = '0;
    logic [127:0] m_rdata = '0;

    logic         reading = 1'b0; // a read burst is being answered
    logic [63:0]  read_addr;
    logic [7:0]   read_left;

    wire  [127:0] tx_tdata;
    wire  [15:0]  tx_tkeep;
    wire          tx_tvalid, tx_tlast, tx_tuser;
    logic [127:0] rx_tdata = '0;
    logic [15:0]  rx_tkeep = '0;
    logic         rx_tvalid = 1'b0, rx_tlast = 1'b0;
    wire          rx_tready;
    wire  [VECTORS-1:0] irq;

    espalier_nic #(
        .NUM_SA      (16),
        .NUM_QUEUES  (2),
        .NUM_VECTORS (VECTORS),
        .CONTROL_PROCESSOR (CONTROL_PROCESSOR)
    ) dut (
        .clk_i               (clk),
        .rst_i               (rst),
        .s_axil_awaddr_i     (awaddr),
        .s_axil_awvalid_i    (awvalid),
        .s_axil_awready_o    (awready),
        .s_axil_wdata_i      (wdata),
        .s_axil_wstrb_i      (4'hF),
        .s_axil_wvalid_i     (wvalid),
        .s_axil_wready_o     (wready),
        .s_axil_bresp_o      (bresp),
        .s_axil_bvalid_o     (bvalid),
        .s_axil_bready_i     (bready),
        .s_axil_araddr_i     (araddr),
        .s_axil_arvalid_i    (arvalid),
        .s_axil_arready_o    (arready),
        .s_axil_rdata_o      (rdata),
        .s_axil_rresp_o      (rresp),
        .s_axil_rvalid_o     (rvalid),
        .s_axil_rready_i     (rready),
        .m_axi_awid_o        (m_awid),
        .m_axi_awaddr_o      (m_awaddr),
        .m_axi_awlen_o       (m_awlen),
        .m_axi_awsize_o      (m_awsize),
        .m_axi_awburst_o     (m_awburst),
        .m_axi_awvalid_o     (m_awvalid),
        .m_axi_awready_i     (1'b1),
        .m_axi_wdata_o       (m_wdata),
        .m_axi_wstrb_o       (m_wstrb),
        .m_axi_wlast_o       (m_wlast),
        .m_axi_wvalid_o      (m_wvalid),
        .m_axi_wready_i      (1'b1),
        .m_axi_bid_i         (4'd0),
        .m_axi_bresp_i       (2'b00),
        .m_axi_bvalid_i      (m_bvalid),
        .m_axi_bready_o      (m_bready),
        .m_axi_arid_o        (m_arid),
        .m_axi_araddr_o      (m_araddr),
        .m_axi_arlen_o       (m_arlen),
        .m_axi_arsize_o      (m_arsize),
        .m_axi_arburst_o     (m_arburst),
        .m_axi_arvalid_o     (m_arvalid),
        .m_axi_arready_i     (!reading),
        .m_axi_rid_i         (m_rid),
        .m_axi_rdata_i       (m_rdata),
        .m_axi_rresp_i       (2'b00),
        .m_axi_rlast_i       (m_rlast),
        .m_axi_rvalid_i      (m_rvalid),
        .m_axi_rready_o      (m_rready),
        .m_axis_mac_tdata_o  (tx_tdata),
        .m_axis_mac_tkeep_o  (tx_tkeep),
        .m_axis_mac_tvalid_o (tx_tvalid),
        .m_axis_mac_tready_i (1'b1),
        .m_axis_mac_tlast_o  (tx_tlast),
        .m_axis_mac_tuser_o  (tx_tuser),
        .s_axis_mac_tdata_i  (rx_tdata),
        .s_axis_mac_tkeep_i  (rx_tkeep),
        .s_axis_mac_tvalid_i (rx_tvalid),
        .s_axis_mac_tready_o (rx_tready),
        .s_axis_mac_tlast_i  (rx_tlast),
        .s_axis_mac_tuser_i  (1'b0),
        .irq_o               (irq)
    );

    always #2 clk = !clk;

    // -----------------------------------------------------------------------------------------------------------------
    // The check, just before each rising edge.

    task automatic known(input [255:0] value, input [8*20-1:0] name);
        begin
            checks = checks + 1;
            if ((^value) === 1'bx) begin
                $display("FAIL cycle %0d: %0s is %h", cycle, name, value);
                $finish;
            end
        end
    endtask

    always @(negedge clk) begin
        if (watching) begin
            known({awready, wready, bvalid, arready, rvalid, bresp, rresp, rdata}, "s_axil");
            known({m_awid, m_awaddr, m_awlen, m_awsize, m_awburst, m_awvalid}, "m_axi_aw");
            known({m_wdata, m_wstrb, m_wlast, m_wvalid, m_bready}, "m_axi_w, m_axi_b");
            known({m_arid, m_araddr, m_arlen, m_arsize, m_arburst, m_arvalid, m_rready}, "m_axi_ar, m_axi_r");
            known({tx_tdata, tx_tkeep, tx_tvalid, tx_tlast, tx_tuser, rx_tready}, "mac");
            known({irq}, "irq");
        end
        cycle = cycle + 1;
    end

    // -----------------------------------------------------------------------------------------------------------------
    // Host memory: reads give a descriptor ring (one TX descriptor, RX buffers) or the bytes of a frame.

    localparam logic [63:0] RING_TX = 64'h1_0000_0000, RING_RX = 64'h1_0000_1000, CPL_TX = 64'h1_0000_2000,
                            CPL_RX = 64'h1_0000_3000, FRAME = 64'h2_0000_0000, BUFFER = 64'h3_0000_0000;

    function automatic [127:0] content(input [63:0] a);
        begin
            if (a[63:12] == RING_TX[63:12])      content = {32'd0, 5'h02, 11'd0, 16'd100, FRAME};
            else if (a[63:12] == RING_RX[63:12]) content = {48'd0, 16'd2048, BUFFER};
            else                                 content = {2{a ^ 64'h0123_4567_89AB_CDEF}};
        end
    endfunction

    always @(posedge clk) begin
        m_rvalid <= 1'b0;
        m_bvalid <= m_wvalid && m_wlast;
        if (m_arvalid && !reading) begin
            reading   <= 1'b1;
            read_addr <= m_araddr;
            read_left <= m_arlen;
            m_rid     <= m_arid;
        end else if (reading) begin
            m_rvalid  <= 1'b1;
            m_rdata   <= content(read_addr);
            m_rlast   <= read_left == 8'd0;
            read_addr <= read_addr + 64'd16;
            read_left <= read_left - 8'd1;
            if (read_left == 8'd0) reading <= 1'b0;
        end
    end

    // -----------------------------------------------------------------------------------------------------------------
    // Register accesses.

    task automatic write32(input [17:0] a, input [31:0] d);
        begin
            @(posedge clk);
            awaddr <= a; wdata <= d; awvalid <= 1'b1; wvalid <= 1'b1;
            @(negedge clk);
            while (!awready || !wready) @(negedge clk); // they rise together: the slave holds one address and one word
            @(posedge clk);
            awvalid <= 1'b0; wvalid <= 1'b0;
            @(negedge clk);
            while (!bvalid) @(negedge clk);
            @(posedge clk);
        end
    endtask

    logic [31:0] value;
    task automatic read32(input [17:0] a);
        begin
            @(posedge clk);
            araddr <= a; arvalid <= 1'b1;
            @(negedge clk);
            while (!arready) @(negedge clk);
            @(posedge clk);
            arvalid <= 1'b0;
            @(negedge clk);
            while (!rvalid) @(negedge clk);
            value = rdata;
            @(posedge clk);
        end
    endtask

    task automatic queue(input [17:0] page, input [63:0] ring, input [63:0] cpl);
        begin
            write32(page + 18'h08, ring[31:0]);
            write32(page + 18'h0C, ring[63:32]);
            write32(page + 18'h10, cpl[31:0]);
            write32(page + 18'h14, cpl[63:32]);
            write32(page + 18'h00, 32'h0000_0031); // 8 entries, ENABLE
        end
    endtask

    integer sent = 0, written = 0, fired = 0;
    always @(posedge clk) begin
        if (tx_tvalid && tx_tlast) sent = sent + 1;
        if (m_wvalid && m_wlast) written = written + 1;
        if (irq != '0) fired = fired + 1;
    end

    // The control processor's program: reports READY and SELFTEST_PASSED; then for ever a heartbeat, CP_NEXT, CYCLES_LO, and
    // for a slot posted a write and a read of SA_SPI, and the answer. Its last word is the CRC.
    logic [31:0] image [0:15];
    initial begin
        image[0]  = 32'h400032B7; image[1]  = 32'h00C00313; image[2]  = 32'h0862A623; image[3]  = 32'h0802A423;
        image[4]  = 32'h0802A383; image[5]  = 32'h40000E37; image[6]  = 32'h050E2E03; image[7]  = 32'hFE03D8E3;
        image[8]  = 32'h01F3F393; image[9]  = 32'h40001E37; image[10] = 32'h047E2023; image[11] = 32'h040E2E03;
        image[12] = 32'h0872A223; image[13] = 32'hFD9FF06F; image[14] = 32'h00000013; image[15] = 32'h94552FB0;
    end

    task automatic processor_pages;
        begin
            for (i = 32'h3000; i < 32'h30B4; i = i + 4) read32(i[17:0]);
            for (i = 32'h4000; i < 32'h7000; i = i + 32'h3FC) read32(i[17:0]);
            read32(18'h07000);
        end
    endtask

    integer i;
    initial begin
        repeat (4) @(posedge clk);
        #1 watching = 1'b1; // the reset has been seen
        repeat (4) @(posedge clk);
        rst <= 1'b0;
        value = '0;
        while (!value[0]) read32(18'h00044); // STATUS.READY
        for (i = 0; i < 32'h0C0; i = i + 4) read32(i[17:0]);
        for (i = 32'h1000; i < 32'h1090; i = i + 4) read32(i[17:0]);
        for (i = 32'h2000; i < 32'h2080; i = i + 4) read32(i[17:0]);
        for (i = 0; i < 32'h30; i = i + 4) begin
            read32(18'h10000 + i[17:0]);
            read32(18'h21000 + i[17:0]);
            read32(18'h12000 + i[17:0]); // a page that this build does not have
        end
        if (CONTROL_PROCESSOR != 0) begin
            processor_pages;
            write32(18'h03014, 32'd0);
            for (i = 0; i < 16; i = i + 1) write32(18'h03018, image[i]);
            write32(18'h03000, 32'd1); // RUN
            value = '0;
            while (value[3:0] != 4'hF) read32(18'h03004); // RUNNING, IMAGE_OK, READY, SELFTEST_PASSED
            processor_pages;
            for (i = 0; i < 32; i = i + 1) write32(18'h04480 + {i[15:0], 2'b00}, {8{i[3:0]}});
            write32(18'h03040, 32'd9);
            value = '0;
            while (value != 32'h200) read32(18'h03048); // MBOX_DONE
            processor_pages;
        end
        queue(18'h10000, RING_TX, CPL_TX);
        queue(18'h20000, RING_RX, CPL_RX);
        write32(18'h20018, 32'd4);
        write32(18'h00084, 32'd0); // INT_MASK
        write32(18'h00040, 32'h0000_000E);
        write32(18'h10018, 32'd1);
        for (i = 0; i < 5; i = i + 1) begin // 70 bytes from the MAC
            rx_tvalid <= 1'b1;
            rx_tdata  <= {4{32'hA5A5_0000 + i}};
            rx_tkeep  <= (i == 4) ? 16'h003F : 16'hFFFF;
            rx_tlast  <= i == 4;
            @(posedge clk);
            while (!rx_tready) @(posedge clk);
        end
        rx_tvalid <= 1'b0;
        repeat (600) @(posedge clk);
        if (sent != 1 || written < 3 || fired < 1) begin
            $display("FAIL: %0d frames sent, %0d bursts written, %0d interrupts", sent, written, fired);
        end else begin
            $display("PASS %0d checks in %0d cycles", checks, cycle);
        end
        $finish;
    end

    initial begin
        #100000;
        $display("FAIL: no end");
        $finish;
    end

endmodule
